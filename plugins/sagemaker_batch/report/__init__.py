"""What a person looks at: the report of a batch run and of a training, one self-contained HTML file each."""
