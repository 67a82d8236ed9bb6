"""Running an execution of a pipeline: references, graph, conditions, steps."""
