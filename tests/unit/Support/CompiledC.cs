using System.Diagnostics;
using System.Globalization;

namespace Couic.Tests.Support;

/// <summary>Asks a C compiler what constants, sizes and offsets are.</summary>
internal static class CompiledC
{
    /// <summary>The values of constant expressions, after including headers (of the system, or of <c>Bpf/</c>) or lines of C as they are.</summary>
    public static long[] Evaluate(string[] headers, string[] expressions)
    {
        using var folder = new TempFolder();
        string includes = string.Concat(headers.Select(h => h[0] switch
        {
            '<' => $"#include {h}\n",
            '#' => h + "\n",
            _ => $"#include \"{h}\"\n",
        }));
        string prints = string.Concat(expressions.Select(e => $"printf(\"%lld\\n\", (long long)({e}));\n"));
        string[] lines = Execute(folder, $"#include <stdio.h>\n{includes}int main(void) {{\n{prints}return 0;\n}}\n", "");
        return [.. lines.Select(l => long.Parse(l, CultureInfo.InvariantCulture))];
    }

    /// <summary>Compiles and runs a program with files in a folder; its lines.</summary>
    public static string[] Execute(TempFolder folder, string source, string arguments)
    {
        folder.Write("a.c", source);
        Run("clang", $"-I{Repository}/Bpf -o {folder["a"]} {folder["a.c"]}");
        return Run(folder["a"], arguments).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>The object file of a BPF program of the repository, given by its path there.</summary>
    public static byte[] Program(string path, string define)
    {
        using var folder = new TempFolder();
        string system = $"/usr/include/{Run("uname", "-m").Trim()}-linux-gnu";
        Run("clang", $"-O2 -g -target bpf -mcpu=v3 -D{define} -I{system} -c {Repository}/{path} -o {folder["a.o"]}");
        return File.ReadAllBytes(folder["a.o"]);
    }

    /// <summary>The folder of the repository.</summary>
    public static string Repository
    {
        get
        {
            string folder = AppContext.BaseDirectory;
            while (!File.Exists(Path.Combine(folder, "couic.csproj")))
            {
                folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("the tests run outside of the repository");
            }

            return folder;
        }
    }

    private static string Run(string program, string arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} {arguments}: exit {process.ExitCode}");
    }
}
