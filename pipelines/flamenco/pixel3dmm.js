// SPDX-License-Identifier: GPL-3.0-or-later
//
// Flamenco job type: heads from a folder of photos, shared out among workers.
//
// Copy this file into the folder "scripts" beside the flamenco-manager program and refresh the job
// types in Blender. Each task makes the heads of its own people; the last one, which waits for all
// others, makes up for what a lost worker left, and writes the contact sheet. See docs/batch.md.

const JOB_TYPE = {
    label: "Pixel3DMM Heads",
    description: "Rigged heads from a folder of photos",
    settings: [
        {
            key: "photos", type: "string", subtype: "dir_path", required: true,
            description: "Folder of photos, the same path on all workers",
        },
        {
            key: "out", type: "string", subtype: "dir_path", required: true,
            description: "Folder for the heads and the contact sheet",
        },
        {
            key: "people", type: "string", default: "folders", required: true,
            description: "Who is one person: folders, each, or a pattern such as {person}_*",
        },
        {
            key: "tasks", type: "int32", default: 8, required: true, propargs: { min: 1, max: 1000 },
            description: "Into how many tasks the people are split",
        },
        {
            key: "predictor", type: "string", default: "mediapipe",
            choices: ["mediapipe", "landmarks", "pixel3dmm"],
            description: "Which networks read the photos",
        },
        {
            key: "texture", type: "string", default: "auto",
            choices: ["off", "auto", "1k", "2k", "4k"],
            description: "Size of the skin's texture",
        },
        {
            key: "face", type: "int32", default: 0, propargs: { min: 0, max: 100 },
            description: "Which of several faces, from 1; 0 takes the largest that is sure",
        },
        {
            key: "workers", type: "int32", default: 0, propargs: { min: 0, max: 256 },
            description: "Heads at once on one machine; 0 takes what its cores and memory allow",
        },
        {
            key: "export", type: "string", default: "",
            description: "Files to make as well, such as fbx,blend; needs Blender's path below",
        },
        {
            key: "blender", type: "string", default: "{blender}",
            description: "Blender for the exports",
        },
        {
            key: "failures_allowed", type: "bool", default: true,
            description: "A photo without a head fails no task, and stands in the contact sheet",
        },
        {
            key: "models", type: "string", subtype: "dir_path", default: "",
            description: "Folder of imported models, for the predictor pixel3dmm",
        },
        {
            key: "python", type: "string", default: "python3", required: true,
            description: "Python with numpy and opencv-python-headless, on all workers",
        },
        {
            key: "pixel3dmm", type: "string", subtype: "dir_path", required: true,
            description: "Folder that holds Pixel3DMM's folder core, on all workers",
        },
    ],
};

// Finds core wherever a worker was started, and leaves it the arguments of its own command line.
const START =
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); " +
    "runpy.run_module('core', run_name='__main__')";

function compileJob(job) {
    const settings = job.settings;
    checkSettings(settings);
    const tasks = [];
    for (let index = 1; index <= settings.tasks; index++) {
        const task = author.Task(`heads-${index}-of-${settings.tasks}`, "misc");
        task.addCommand(batchCommand(settings, ["--shard", `${index}/${settings.tasks}`]));
        tasks.push(task);
        job.addTask(task);
    }
    const sheet = author.Task("contact-sheet", "misc");
    sheet.addCommand(batchCommand(settings, []));
    for (const task of tasks) {
        sheet.addDependency(task);
    }
    job.addTask(sheet);
}

function checkSettings(settings) {
    for (const key of ["photos", "out", "python", "pixel3dmm", "people"]) {
        if (!settings[key]) {
            throw new Error(`The setting "${key}" is empty: fill it in.`);
        }
    }
    if (!(settings.tasks >= 1)) {
        throw new Error("The heads need at least one task: raise the setting \"tasks\".");
    }
    if (settings.export && !settings.blender) {
        throw new Error("Exports are made by Blender: fill in the setting \"blender\".");
    }
}

function batchCommand(settings, more) {
    const args = [
        "-c", START, settings.pixel3dmm,
        "batch", settings.photos, "--out", settings.out, "--people", settings.people,
        "--predictor", settings.predictor, "--texture", settings.texture,
    ];
    if (settings.face) args.push("--face", String(settings.face));
    if (settings.workers) args.push("--workers", String(settings.workers));
    if (settings.models) args.push("--models", settings.models);
    if (settings.export) args.push("--export", settings.export, "--blender", settings.blender);
    if (settings.failures_allowed) args.push("--allow-failures");
    return author.Command("exec", { exe: settings.python, args: args.concat(more) });
}
