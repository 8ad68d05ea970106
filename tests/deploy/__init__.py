"""Tests of what runs the service: image, Compose, Kubernetes, load balancer."""
