"""Developer programs that rebuild what ships in resources/; never imported by the application."""
