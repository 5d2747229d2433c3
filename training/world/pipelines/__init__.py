"""Functions that are pipelines: a source, any number of filters and maps, and a reduction."""
