// What lies in the page's folder: its list of networks and pictures, and the pictures.

async function fetched(file) {
  const answer = await fetch(file);
  if (!answer.ok) throw new Error(`${file}: the server answers ${answer.status}`);
  return answer;
}

/** The list of what there is. */
export async function readPage() {
  try {
    return await (await fetched("page.json")).json();
  } catch (error) {
    throw new Error(location.protocol === "file:" ? "Browsers let no page read files beside it: serve this folder, say with python -m http.server."
      : `page.json cannot be read (${error.message}): make the folder again with python -m pagjax.explore.`);
  }
}

/** A shipped picture, `photograph:NAME` or `seed:NAME`: its bytes, its name in files, title, crop. */
export async function shippedPicture(name, page) {
  const [kind, own] = [name.slice(0, name.indexOf(":")), name.slice(name.indexOf(":") + 1)];
  const item = (kind === "seed" ? page.seeds : page.photographs).find((one) => one.name === own);
  try {
    const blob = await (await fetched(item.file)).blob();
    return { blob, name: own.replace(/[^a-z0-9.-]+/gi, "-"), title: item.title, crop: item.crop };
  } catch (error) {
    throw new Error(`${item.title} cannot be loaded: ${error.message}.`);
  }
}
