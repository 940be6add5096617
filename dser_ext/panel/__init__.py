"""The Auto-emote panel: model.py and what it is made of know no UI; window.py is omni.ui."""
