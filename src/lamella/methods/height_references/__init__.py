"""What a vertebra's heights were before it fractured, told from heights alone."""
