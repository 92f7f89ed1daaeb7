"""What a model sees of a photo: how it is cropped, its faces, and which photos are alike."""
