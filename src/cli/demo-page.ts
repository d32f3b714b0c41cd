/** The page of the demo's `web` service: what to try, and a live look at streams and WebSockets. */
export const DEMO_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Torii demo</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem }
  code, output { font-family: ui-monospace, monospace; background: #8882; padding: .1em .3em }
  output { display: block; min-height: 1.5em; white-space: pre-wrap }
</style>
<h1>Torii demo</h1>
<p>This page came through the gateway from the sample service <code>web</code>. No route named your host,
so the route <code>web</code> took it. The routes are in <code>routes/demo.yaml</code>: edit them while the
gateway runs.</p>
<ul>
  <li><a href="/echo?a=1">/echo</a> shows the request as the service got it, forwarding headers included</li>
  <li><a href="/events">/events</a> streams server-sent events, one a second</li>
  <li><a href="/slow?ms=3000">/slow?ms=3000</a> answers after so many milliseconds</li>
  <li><code>/ws</code> is a WebSocket that says everything back</li>
</ul>
<p>The shop's routes ask for its host: <code>curl -H 'Host: shop.example.com' ORIGIN/catalog/items</code></p>
<h2>Events</h2><output id="events"></output>
<h2>WebSocket</h2><output id="ws"></output>
<script>
  const show = (id, text) => { document.getElementById(id).textContent = text; };
  for (const code of document.querySelectorAll("code"))
    code.textContent = code.textContent.replace("ORIGIN", location.origin);
  new EventSource("/events").onmessage = (event) => show("events", event.data);
  const ws = new WebSocket(location.origin.replace("http", "ws") + "/ws");
  ws.onopen = () => ws.send("hello through the gateway");
  ws.onmessage = (event) => show("ws", event.data);
</script>
</html>
`;
