// A starting picture from the webcam.

import { byId, notice } from "./controls.js";

/** Opens the webcam; what is taken goes to `use` as a blob. */
export async function webcam(use) {
  const dialog = byId("camera");
  const video = dialog.querySelector("video");
  let stream;
  try {
    if (!navigator.mediaDevices) throw new Error("it gives pages no camera here (only over https, or on this machine)");
    stream = await navigator.mediaDevices.getUserMedia({ video: true });
  } catch (error) {
    notice(`No webcam: ${error.message}. Choose a picture instead.`);
    return;
  }
  video.srcObject = stream;
  dialog.showModal();
  dialog.onclose = () => stream.getTracks().forEach((track) => track.stop());
  byId("no-snap").onclick = () => dialog.close();
  byId("snap").onclick = () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth || 2, height: video.videoHeight || 2 });
    canvas.getContext("2d").drawImage(video, 0, 0);
    dialog.close();
    canvas.toBlob(use, "image/png");
  };
}
