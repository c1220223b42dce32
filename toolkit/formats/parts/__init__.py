"""What the formats are read with: helpers of one format, called after it, and readers that several share."""
