#!/bin/sh
# Starts Detailed Face; a double click in the Finder opens it in a Terminal window.
exec @PYTHON@ @MAIN@ "$@"
