(async () => {
  "use strict";
  const state = document.getElementById("state");
  const say = (text) => { state.textContent = text; state.hidden = !text; };
  const inflate = async (id) => {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };
  if (!("DecompressionStream" in window)) {
    say("This browser is too old for the interactive charts (it lacks DecompressionStream), so charts are plain pictures. All tables are here.");
    return;
  }
  try {
    const { config, figures } = JSON.parse(await inflate("figures"));
    const code = document.createElement("script");
    code.textContent = await inflate("library");
    document.head.append(code);

    const css = getComputedStyle(document.documentElement);
    const ink = css.getPropertyValue("--ink").trim();
    const paper = css.getPropertyValue("--paper").trim();
    const draw = (div) => {
      const figure = figures[div.id];
      if (!figure) return null;
      delete figures[div.id];
      figure.layout.font.color = ink;
      figure.layout.hoverlabel = { bgcolor: paper, font: { color: ink } };
      div.replaceChildren();
      return Plotly.newPlot(div, figure.data, figure.layout, config);
    };
    const divs = [...document.querySelectorAll(".plot")];
    for (const div of divs) div.style.minHeight = figures[div.id].layout.height + "px";
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target); }
      }
    }, { rootMargin: "1200px" });
    divs.forEach((div) => seen.observe(div));
    window.addEventListener("beforeprint", () => divs.forEach(draw));
    document.documentElement.dataset.charts = "ready";
  } catch (error) {
    say("The interactive charts could not start (" + error.message + "), so charts are plain pictures. All tables are here.");
  }
})();
