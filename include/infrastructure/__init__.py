"""Environments, policies and deployment. Everything is made with boto3 and found again by name: it can be repeated."""
