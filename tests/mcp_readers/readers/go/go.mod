module mtls-identity/mcp-reader

go 1.24
