"""The HTTP layer: routes, request and response bodies, errors, middleware, pages."""
