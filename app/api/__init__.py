"""HTTP as FastAPI users know it: routes, bodies, errors, pages."""
