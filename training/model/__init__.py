"""The network: encoder, features and head."""
