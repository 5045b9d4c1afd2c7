// What every client subscribes to, and how it tells what it has received: a line of JSON for each event.
export const [url, events] = [process.argv[2], Number(process.argv[3])];

export const query = "subscription S($after: String) { opportunityStageChanged(after: $after) { cursor eventId } }";

export const soon = () => new Promise((resolve) => setTimeout(resolve, 50));

let told = 0;

// Returns whether that was the last event to wait for.
export function tell(data) {
  console.log(JSON.stringify(data.opportunityStageChanged));
  told += 1;
  return told === events;
}

export function fail(reason) {
  console.error(reason);
  process.exit(1);
}
