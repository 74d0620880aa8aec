"""Interactive segmentation: an object's mask from clicks, by a frozen encoder and two small trained parts."""
