//! Secrets, containers, consumers, ACLs and their rules, and the ports through which the rest is reached
