// What the console takes of preact, its hooks and htm; bundled once, as README.md says.
import { Fragment, h, render } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import htm from "htm";

globalThis.ui = Object.freeze({ html: htm.bind(h), render, Fragment, useEffect, useMemo, useRef, useState });
