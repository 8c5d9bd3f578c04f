"""What the end-to-end tests share: brokers, the agent, the fault proxy, the receiver."""
