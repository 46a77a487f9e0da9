"""The figures of Kaur, Cohen and Lipton (2019), with any base networks, and numbers beside them."""
