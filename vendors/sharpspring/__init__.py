"""Lead Gen & CRM (SharpSpring), pubapi v1 and v1.2."""
