"""The imports of every process of a crowd, made once by the process that they are forked from.

Nothing in it has a connection yet. AWS's service models are most of what a client takes to make; the default session
keeps them.
"""

import boto3

import personas.operations.create
import personas.operations.delete
import personas.operations.draft
import personas.operations.drafts
import personas.operations.duplicate
import personas.operations.get
import personas.operations.refresh
import personas.operations.search
import personas.operations.update
import support.broken
import support.workload

__all__ = ["personas", "support"]

for service in ("dynamodb", "s3", "sqs"):
    boto3.client(service, region_name="eu-central-1", aws_access_key_id="none", aws_secret_access_key="none")
