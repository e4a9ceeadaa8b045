(function () {
  "use strict";
  var find = function (s) { return Array.prototype.slice.call(document.querySelectorAll(s)); };
  var q = document.getElementById("q"), v = document.getElementById("v"), said = document.getElementById("said");
  var all = find("details");
  var open = function (to) { all.forEach(function (d) { d.open = to; }); };
  function filter() {
    var words = q.value.toLowerCase().split(/\s+/).filter(Boolean), shown = 0, rows = find("[data-v]");
    rows.forEach(function (row) {
      var text = row.textContent.toLowerCase();
      var fits = words.every(function (w) { return text.indexOf(w) >= 0; }) &&
        (!v.value || row.getAttribute("data-v") === v.value);
      row.classList.toggle("hidden", !fits);
      shown += fits ? 1 : 0;
    });
    said.textContent = words.length || v.value ? shown + " of " + rows.length + " rows shown" : "";
  }
  function reveal() {
    var at = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (var d = at; d; d = d.parentElement) { if (d.tagName === "DETAILS") { d.open = true; } }
    if (at) { at.classList.remove("hidden"); at.scrollIntoView(); }
  }
  if (q) {
    q.addEventListener("input", filter);
    v.addEventListener("change", filter);
    document.getElementById("open").addEventListener("click", function () { open(true); });
    document.getElementById("close").addEventListener("click", function () { open(false); });
    document.querySelector(".tools").classList.remove("hidden");
  }
  var before = [];
  addEventListener("beforeprint", function () {
    before = before.concat(all.filter(function (d) { return !d.open; }));
    open(true);
  });
  addEventListener("afterprint", function () { before.splice(0).forEach(function (d) { d.open = false; }); });
  addEventListener("hashchange", reveal);
  reveal();
})();
