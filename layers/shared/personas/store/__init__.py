"""DynamoDB: keys, the write rule, and one repository a kind of item."""
