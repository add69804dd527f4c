// The live page: asks the API for the whole site whenever something changes, and once a second while power drifts.

const $ = (id) => document.getElementById(id);
const kw = (w) => (w / 1000).toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const part = (of, whole) => `${Math.max(0, Math.min(100, (100 * of) / (whole || 1)))}%`;
const hour = (at) => new Date(at).toISOString().slice(11, 16);
const TRACE_S = 240; // wall seconds

let siteId = "demo", speed = 1, stream = null, trace = [], asked = false, again = false;

function element(tag, classes, ...content) {
  const made = document.createElement(tag);
  made.className = classes;
  made.append(...content);
  return made;
}

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function refresh() {
  if (asked) { again = true; return; }
  asked = true;
  try {
    show(await get(`/sites/${encodeURIComponent(siteId)}`));
  } catch (error) {
    console.warn(error);
  }
  await new Promise((done) => setTimeout(done, 200));
  asked = false;
  if (again) { again = false; refresh(); }
}

function show(site) {
  $("clock").textContent = new Date(site.at).toISOString().slice(0, 19).replace("T", "  ") + " UTC";
  showGrid(site);
  showBattery(site.battery);
  $("chargers").replaceChildren(...site.chargers.map(charger));
}

function showGrid(site) {
  const sessions = site.chargers.flatMap((c) => c.connectors).map((c) => c.session).filter(Boolean);
  const cars = sessions.reduce((sum, s) => sum + s.power_w, 0);
  const battery = site.battery ? site.battery.power_w : 0;
  const whole = Math.max(site.grid_limit_w * 1.08, site.grid_power_w);
  const helped = Math.max(0, cars + Math.min(0, battery) - site.generation_w);
  $("grid-figure").textContent = `${kw(site.grid_power_w)} of ${kw(site.grid_limit_w)} kW`;
  $("grid-bar").querySelector(".cars").style.width = part(helped, whole);
  $("grid-bar").querySelector(".load").style.width = part(site.static_load_w, whole);
  $("grid-bar").querySelector(".charge").style.width = part(Math.max(0, battery), whole);
  $("grid-bar").querySelector(".limit").style.left = part(site.grid_limit_w, whole);
  $("cars-figure").textContent = `${kw(cars)} kW`;
  $("load-figure").textContent = `${kw(site.static_load_w)} kW`;
  $("pv-figure").textContent = `${kw(site.generation_w)} kW`;
  $("pv").hidden = !site.generation_w;
  $("bess-power").textContent = `${battery > 0 ? "+" : ""}${kw(battery)} kW`;
  $("bess-legend").hidden = !site.battery;
  showTrace(site, whole);
}

function showTrace(site, whole) {
  const end = site.at, begin = end - TRACE_S * 1000 * speed;
  if (!trace.length || trace.at(-1)[0] < end) trace.push([end, site.grid_power_w]);
  while (trace.length > 1 && trace[1][0] < begin) trace.shift();
  const x = (at) => Math.max(0, (600 * (at - begin)) / (end - begin)).toFixed(1);
  const y = (w) => (118 - (114 * Math.max(0, w)) / (whole || 1)).toFixed(1);
  const line = trace.map(([at, w], i) => `${i ? `H${x(at)}V` : `M${x(at)},`}${y(w)}`).join("");
  $("trace").querySelector(".line").setAttribute("d", line);
  $("trace").querySelector(".area").setAttribute("d", `${line}V120H${x(trace[0][0])}Z`);
  $("trace-begin").textContent = hour(begin);
  $("trace-end").textContent = hour(end);
  const limit = $("trace").querySelector(".limit"), height = y(site.grid_limit_w);
  for (const [name, at] of Object.entries({ x1: 0, x2: 600, y1: height, y2: height })) limit.setAttribute(name, at);
}

function showBattery(battery) {
  $("battery").hidden = !battery;
  if (!battery) return;
  $("soc-figure").textContent = `${(100 * battery.soc).toFixed(1)} %`;
  $("battery").querySelector(".soc").style.width = part(battery.soc, 1);
  const doing = battery.power_w < 0 ? "helps with" : battery.power_w > 0 ? "charges with" : "rests";
  const power = battery.power_w ? ` ${kw(Math.abs(battery.power_w))} kW` : "";
  $("battery-doing").textContent = `${kw(battery.energy_wh)} of ${kw(battery.capacity_wh)} kWh, ${doing}${power}`;
}

function charger(c) {
  const figure = element("span", "figure dim", `${kw(c.allocated_w)} of ${kw(c.max_power_w)} kW`);
  return element("article", "", element("h2", "", c.id, figure), ...c.connectors.map(connector));
}

function connector(c) {
  const s = c.session;
  if (!s) return element("div", "row", element("p", "free", `${c.id} · free`), element("div", "bar"), element("p", "", "\u00a0"), element("p", "", "\u00a0"));
  const holds = s.binding === "vehicle" ? element("span", "dim", s.status) : element("span", "binds", `held by ${s.binding}`);
  const draws = element("span", "num", `${kw(s.power_w)} kW`);
  const bar = element("div", "bar", element("div", "share"), element("div", "draws part"));
  bar.querySelector(".share").style.width = part(s.allocated_w, s.vehicle_max_w);
  bar.querySelector(".draws").style.width = part(s.power_w, s.vehicle_max_w);
  bar.title = `draws ${kw(s.power_w)}, may draw ${kw(s.allocated_w)}, could take ${kw(s.vehicle_max_w)} kW`;
  const may = element("span", "dim num", `may draw ${kw(s.allocated_w)} of ${kw(s.vehicle_max_w)} kW`);
  const energy = element("span", "dim num", `${kw(s.energy_wh)} kWh`);
  const name = element("span", "name", `${c.id} · ${s.id}`);
  return element("div", "row", element("p", "", name, draws), bar, element("p", "", may), element("p", "", holds, energy));
}

async function recall() {
  const { at } = await get(`/sites/${encodeURIComponent(siteId)}`);
  const path = `/sites/${encodeURIComponent(siteId)}/telemetry/grid_w?start=${Math.round(at - TRACE_S * 1000 * speed)}`;
  const { instants, values } = await get(path);
  trace = instants.map((instant, i) => [instant, values[i]]);
}

async function listen() {
  stream?.close();
  trace = [];
  await recall().catch(() => {}); // nothing is recorded yet
  stream = new EventSource(`/sites/${encodeURIComponent(siteId)}/events`);
  stream.onopen = () => link(true);
  stream.onerror = () => link(false);
  for (const name of ["Site", "LimitSet", "SessionStarted", "SessionEnded", "SessionSatisfied", "StorageSet", "ConfigurationReplaced"])
    stream.addEventListener(name, refresh);
  refresh();
}

function link(isUp) {
  $("link").textContent = isUp ? "live" : "connecting ...";
  $("link").classList.toggle("lost", !isUp);
}

async function begin() {
  const { sites } = await get("/sites");
  if (!sites.some((s) => s.id === siteId)) siteId = sites[0].id;
  $("site").replaceChildren(...sites.map((s) => new Option(s.id, s.id, false, s.id === siteId)));
  $("site").onchange = () => { siteId = $("site").value; pace(sites); listen(); };
  $("speed").onchange = setSpeed;
  pace(sites);
  listen();
  setInterval(refresh, 1000);
}

function pace(sites) {
  $("speed-label").hidden = siteId !== "demo";
  speed = sites.find((s) => s.id === siteId).speed;
  if (![...$("speed").options].some((o) => Number(o.value) === speed)) $("speed").append(new Option(`${speed}×`, speed));
  $("speed").value = String(speed);
}

async function setSpeed() {
  speed = Number($("speed").value);
  const headers = { "Content-Type": "application/json" };
  await fetch(`/sites/${siteId}/speed`, { method: "PUT", body: JSON.stringify({ speed }), headers });
  listen();
}

begin();
