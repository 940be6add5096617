"""Audio to EmotionTrack."""
