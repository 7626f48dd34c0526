"""Thin scripts that look at a running bot from outside."""
