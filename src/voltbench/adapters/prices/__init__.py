"""Where prices come from: files and the services of exchanges, grid operators and suppliers."""
