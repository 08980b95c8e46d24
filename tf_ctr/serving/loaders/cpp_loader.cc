// Runs signatures of a SavedModel by tensorflow::LoadSavedModel, the loader that
// TensorFlow Serving uses.
//
//   cpp_loader MODEL SIGNATURE FOLDER [SIGNATURE FOLDER]...
//
// A folder holds one file of a serialized TensorProto per input, <input>.in; the
// outputs are written to it as <output>.out.

#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/tensor.pb.h"
#include "tensorflow/core/platform/env.h"

using tensorflow::Status;

Status Run(const tensorflow::SavedModelBundle& model, const std::string& name,
           const std::string& folder) {
  const auto found = model.meta_graph_def.signature_def().find(name);
  if (found == model.meta_graph_def.signature_def().end()) {
    return tensorflow::errors::NotFound("no signature ", name);
  }
  auto* env = tensorflow::Env::Default();
  std::vector<std::string> given;
  TF_RETURN_IF_ERROR(env->GetMatchingPaths(folder + "/*.in", &given));
  if (given.size() > found->second.inputs().size()) {
    return tensorflow::errors::InvalidArgument(
        "input size does not match signature ", name, ": ", given.size(), " for ",
        found->second.inputs().size());
  }
  std::vector<std::pair<std::string, tensorflow::Tensor>> feeds;
  for (const auto& [input, info] : found->second.inputs()) {
    tensorflow::TensorProto proto;
    TF_RETURN_IF_ERROR(
        tensorflow::ReadBinaryProto(env, folder + "/" + input + ".in", &proto));
    tensorflow::Tensor tensor;
    if (!tensor.FromProto(proto)) {
      return tensorflow::errors::InvalidArgument("no tensor in ", input, ".in");
    }
    feeds.emplace_back(info.name(), tensor);
  }
  std::vector<std::string> outputs, fetches;
  for (const auto& [output, info] : found->second.outputs()) {
    outputs.push_back(output);
    fetches.push_back(info.name());
  }
  std::vector<tensorflow::Tensor> values;
  TF_RETURN_IF_ERROR(model.session->Run(feeds, fetches, {}, &values));
  for (size_t i = 0; i < outputs.size(); ++i) {
    tensorflow::TensorProto proto;
    values[i].AsProtoField(&proto);  // Python reads strings from fields only.
    TF_RETURN_IF_ERROR(tensorflow::WriteBinaryProto(
        env, folder + "/" + outputs[i] + ".out", proto));
  }
  return tensorflow::OkStatus();
}

int main(int argc, char** argv) {
  tensorflow::SavedModelBundle model;
  Status status = tensorflow::LoadSavedModel(tensorflow::SessionOptions(),
                                             tensorflow::RunOptions(), argv[1],
                                             {"serve"}, &model);
  for (int i = 2; status.ok() && i + 1 < argc; i += 2) {
    status = Run(model, argv[i], argv[i + 1]);
  }
  if (!status.ok()) std::cerr << status.ToString() << "\n";
  return status.ok() ? 0 : 1;
}
