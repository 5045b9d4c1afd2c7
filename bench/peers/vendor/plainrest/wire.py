# ruff: noqa: N815  # the vendor's own spelling
"""The files' rows, as far as the graph has a place for what is in them. A file is a list of rows, in the vendor's order."""

from vendors.wire import Day, Decoder, Flag, Instant, Key, Number, Text, WireModel


class CustomField(WireModel):
    key: Key
    value: Text = None


class Row(WireModel):
    id: Key


class Opportunity(Row):
    title: Text = None
    description: Text = None
    amount: Number = None
    currency: Text = None
    probability: Number = None
    closeDate: Day = None
    pipelineId: Text = None
    stageId: Text = None
    ownerId: Text = None
    accountId: Text = None
    contactIds: tuple[Key, ...] = ()
    customFields: tuple[CustomField, ...] = ()
    createdAt: Instant = None
    updatedAt: Instant = None
    externalKey: Text = None
    active: Flag = None


class Pipeline(Row):
    name: Text = None


class Stage(Row):
    name: Text = None
    description: Text = None
    probability: Number = None
    pipelineId: Text = None


class User(Row):
    name: Text = None
    email: Text = None
    active: Flag = None


class Account(Row):
    name: Text = None


class Contact(Row):
    name: Text = None
    email: Text = None


OPPORTUNITIES = Decoder(list[Opportunity], row=Opportunity)
PIPELINES = Decoder(list[Pipeline], row=Pipeline)
STAGES = Decoder(list[Stage], row=Stage)
USERS = Decoder(list[User], row=User)
ACCOUNTS = Decoder(list[Account], row=Account)
CONTACTS = Decoder(list[Contact], row=Contact)
