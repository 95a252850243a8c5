"""HTTP to the outside: two transports (`asyncio_http`, `wreq_http`) and the check before them (`egress`).

Both transports pass the one suite in `ports/conformance/http.py`; docs/adr/0001 says which is the default.
"""
