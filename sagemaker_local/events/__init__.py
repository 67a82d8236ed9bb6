"""State-change events: made with each change in the store, delivered to the rules that users keep on EventBridge."""
