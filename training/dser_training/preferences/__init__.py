"""Stage 3: what people prefer. Candidate sequences of emotions, and which two of them to ask about."""
