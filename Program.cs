using Couic.Cli;
using Couic.CommandLine;
using Couic.Daemon;
using Couic.Demo;
using Couic.Reporting;

// What the executable does follows from the name it is called by, or from its first word.
string[] command = Environment.GetCommandLineArgs();
string[] arguments = command[1..];
return (Path.GetFileName(command[0]), arguments) switch
{
    ("couicctl", _) => CommandProgram.Run(CouicctlCommands.Root, arguments),
    ("couic-report", _) => CommandProgram.Run(ReceiverMain.Root, arguments),
    (_, [AttacherProcess.Verb, _, _, ..]) => AttacherProcess.Run(arguments.AsSpan(1)),
    (_, [AttacherService.Verb, "-c", _]) => AttacherService.Run(arguments[2]),
    (_, [DemoKeeper.Verb, _, _, _]) => DemoKeeper.Run(arguments[1], arguments[2], arguments[3]),
    _ => CommandProgram.Run(CouicCommands.Root, arguments),
};
