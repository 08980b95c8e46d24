"""What experiments share: data sets, settings, runs, tables, statistics, figures."""
