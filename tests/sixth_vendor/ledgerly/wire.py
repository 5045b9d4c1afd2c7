from vendors.wire import Decoder, Key, Number, Text, WireModel


class Deal(WireModel):
    id: Key
    headline: Text = None
    worth: Number = None
    money: Text = None
    outcome: Text = None
    shelf: Text = None


class Deals(WireModel):
    deals: list[Deal]
    more: bool


DEALS = Decoder(Deals, rows=["deals"], row=Deal)
