"use strict";

// Figures have no colours of a page: they get those of the reader's colour scheme, and light ones on paper.
const DARK = {text: "#e6e9ee", line: "#3d4654", scale: [[0, "#1b212b"], [1, "#5aa9e6"]]};
const LIGHT = {text: "#1d2430", line: "#dde2ea", scale: [[0, "#ffffff"], [1, "#1f6fb2"]]};
const PAPER_WIDTH = 680; // pixels, of a page of A4 with its margins
const dark = matchMedia("(prefers-color-scheme: dark)");
const touch = matchMedia("(pointer: coarse)");

async function inflate(id) {
  const packed = atob(document.getElementById(id).textContent.trim());
  const bytes = Uint8Array.from(packed, character => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

function coloured(layout, paper) {
  const colours = dark.matches && !paper ? DARK : LIGHT;
  const result = {
    ...layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: {...layout.font, color: colours.text, family: "system-ui, sans-serif", size: 12},
    dragmode: touch.matches ? false : "zoom", // a finger scrolls the page
  };
  for (const name of ["xaxis", "yaxis", ...Object.keys(layout).filter(key => /^[xy]axis\d+$/.test(key))])
    result[name] = {...layout[name], gridcolor: colours.line, linecolor: colours.line, zerolinecolor: colours.line};
  if (layout.coloraxis) result.coloraxis = {...layout.coloraxis, colorscale: colours.scale};
  return result;
}

async function main() {
  const figures = JSON.parse(await inflate("figures"));
  const places = Object.keys(figures).map(id => document.getElementById(id)).filter(place => place);
  if (!places.length) return;
  const script = document.createElement("script");
  script.textContent = await inflate("plotly");
  document.head.append(script);
  const widthOf = (place, paper) =>
    paper ? (place.closest(".slices") ? PAPER_WIDTH / 2 - 20 : PAPER_WIDTH) : place.clientWidth;
  const draw = (place, paper) => {
    const {data, layout} = figures[place.id];
    const shown = {...coloured(layout, paper), width: widthOf(place, paper)};
    return Plotly.react(place, data, shown, {displayModeBar: false, displaylogo: false});
  };
  const drawAll = paper => places.forEach(place => draw(place, paper));
  for (const place of places) {
    await draw(place, false);
    place.classList.add("drawn");
    await new Promise(resolve => setTimeout(resolve)); // the page stays usable meanwhile
  }
  document.documentElement.dataset.figures = "drawn";
  dark.addEventListener("change", () => drawAll(false));
  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => drawAll(false), 150);
  });
  addEventListener("beforeprint", () => {
    clearTimeout(waiting);
    drawAll(true);
  });
  addEventListener("afterprint", () => drawAll(false));
}

addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(part => (part.open = true)));
main().catch(fault => {
  document.documentElement.dataset.figures = "failed";
  document.querySelectorAll(".figure").forEach(place => (place.textContent = `The figure cannot be drawn: ${fault}`));
});
