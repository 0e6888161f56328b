"""What tests share: waits for events, and bounds that hold on any machine."""
