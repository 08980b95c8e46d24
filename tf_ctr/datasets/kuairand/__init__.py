"""KuaiRand: tabs of a video feed."""
