"""The work that contenders do, and what workloads and contenders are made with."""
