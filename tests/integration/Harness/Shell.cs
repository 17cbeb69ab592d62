using System.Diagnostics;

namespace Couic.IntegrationTests.Harness;

/// <summary>Runs programs, optionally inside a namespace, and keeps what they say.</summary>
public static class Shell
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    public sealed record Result(int ExitCode, string Out, string Error)
    {
        public string All => Out + Error;
    }

    public static Result Run(string file, params string[] arguments) => Run(null, file, arguments);

    public static Result Run(NetSpace? space, string file, params string[] arguments) =>
        Run(space, new ProcessStartInfo(file, arguments));

    /// <summary>Runs a program to its end; one that does not end in two minutes is killed and fails the test.</summary>
    /// <param name="start">Redirections are set here.</param>
    public static Result Run(NetSpace? space, ProcessStartInfo start, string? input = null)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.RedirectStandardInput = true;
        using Process process = Start(space, start);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        if (input != null)
        {
            process.StandardInput.Write(input);
        }

        process.StandardInput.Close();
        if (!process.WaitForExit(Patience))
        {
            process.Kill(entireProcessTree: true);
            throw new InvalidOperationException($"{Describe(start)}: no end within {Patience.TotalSeconds} s");
        }

        // A background child may hold the pipes open for longer; what was said until now is enough then.
        _ = Task.WaitAll([output, error], TimeSpan.FromSeconds(5));
        return new Result(process.ExitCode, Text(output), Text(error));
    }

    /// <summary>As <see cref="Run(NetSpace?, string, string[])"/>, and throws unless it exits with 0.</summary>
    public static string Check(NetSpace? space, string file, params string[] arguments)
    {
        Result result = Run(space, file, arguments);
        return result.ExitCode == 0
            ? result.Out
            : throw new InvalidOperationException($"{file} {string.Join(' ', arguments)}: exit {result.ExitCode}: {result.All}");
    }

    /// <summary>A process is born in the namespace of the thread that starts it.</summary>
    public static Process Start(NetSpace? space, ProcessStartInfo start)
    {
        Process process = space == null ? Process.Start(start)! : space.Do(() => Process.Start(start)!);
        Reaper.Instance.Watch(process.Id);
        return process;
    }

    private static string Text(Task<string> reading) => reading.IsCompletedSuccessfully ? reading.Result : "";

    private static string Describe(ProcessStartInfo start) => $"{start.FileName} {string.Join(' ', start.ArgumentList)}";
}
