// What the bundle in console/vendor brings.
export const { Fragment, html, render, useEffect, useMemo, useRef, useState } = ui;
