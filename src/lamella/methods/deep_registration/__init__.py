"""The deep registration network (Wang et al., CMIG 108:102273, arXiv 2304.13938), a comparator."""
