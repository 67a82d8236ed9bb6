"""What stands for an image: the table of `runtimes.yaml`, and the programs that it names."""
