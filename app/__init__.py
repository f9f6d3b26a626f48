"""The application: first start, command line, session, threads and window. The only package that knows all others."""
