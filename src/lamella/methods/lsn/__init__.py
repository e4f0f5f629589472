"""LSN as published (ACM MM 2025, arXiv 2502.01972) and exact: soft tissue and two bones."""
