using Couic.Cli;
using Couic.Daemon;
using Couic.Demo;
using Couic.Reporting;

// What the executable does follows from the name it is called by, or from its first word.
string[] command = Environment.GetCommandLineArgs();
string[] arguments = command[1..];
return Path.GetFileName(command[0]) switch
{
    "couicctl" => CouicctlMain.Run(arguments),
    "couic-report" => ReceiverMain.Run(arguments, ProductVersion.Text),
    _ => Run(),
};

int Run()
{
    if (arguments is [AttacherProcess.Verb, _, _, ..])
    {
        return AttacherProcess.Run(arguments.AsSpan(1));
    }

    if (arguments is [AttacherService.Verb, "-c", _])
    {
        return AttacherService.Run(arguments[2]);
    }

    CommandLine line = CommandLine.Parse(arguments);
    if (line.Error is not null)
    {
        Console.Error.WriteLine($"couic: {line.Error}");
        return 2;
    }

    switch (line.Verb)
    {
        case "ctl":
            return CouicctlMain.Run(line.Rest);
        case "report":
            return ReceiverMain.Run(line.Rest, ProductVersion.Text);
        case "demo":
            return DemoMain.Run(line.Rest);
        case "check":
            return CheckCommand.Run(line.Config, Console.Out, Console.Error);
        case "help":
            Console.Out.Write(CommandLine.HelpText);
            return 0;
        case "version":
            Console.Out.WriteLine($"Couic {ProductVersion.Text}");
            return 0;
        default:
            return DaemonCommand.Run(line.Config, command);
    }
}
